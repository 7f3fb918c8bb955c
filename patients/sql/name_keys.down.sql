DROP FUNCTION kura_search_key(text, text, text, text);
DROP FUNCTION kura_sort_key(text);
DROP FUNCTION kura_fold(text);
