-- Search and sort keys for names, without an extension and without a collation.
-- Guarantees: 'Ñandú' is found as 'nandu', 'Álvarez' sorts before 'Zapata', and ñ between n and o,
-- whatever the database's locale. patient_guard.sql keeps the columns, so no writer can leave them
-- stale.

-- Accents off, case off, one space between words. lower() comes last: by then Latin letters are
-- ASCII, which every locale lowers alike.
CREATE FUNCTION kura_fold(input text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT btrim(regexp_replace(
        lower(
            regexp_replace(
                translate(normalize(coalesce(input, ''), NFKD), 'øØłŁđĐßıİæÆœŒ', 'oOlLdDsiIaAoO'),
                '[\u0300-\u036f]', '', 'g'
            ) COLLATE "C"
        ),
        '\s+', ' ', 'g'
    ))
$$;

-- As kura_fold, but ñ is a letter of its own: '{' is the character after 'z' in byte order.
CREATE FUNCTION kura_sort_key(input text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT public.kura_fold(regexp_replace(normalize(coalesce(input, ''), NFC), '[ñÑ]', 'n{', 'g'))
$$;

-- What a search looks into: name, address, external id, and the telephone's digits.
CREATE FUNCTION kura_search_key(full_name text, email text, phone text, external_id text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT btrim(concat_ws(
        ' ',
        public.kura_fold(full_name),
        nullif(public.kura_fold(email), ''),
        nullif(regexp_replace(coalesce(phone, ''), '\D', '', 'g'), ''),
        nullif(public.kura_fold(external_id), '')
    ))
$$;
