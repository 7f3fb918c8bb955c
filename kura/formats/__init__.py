"""How a moment is written in each language: `{{ when|date:"MOMENT" }}`, `date_format(when, "DAY")`.

Settings name this package in FORMAT_MODULE_PATH. DAY, MOMENT and the others are
names of our own; what is not said here, Django's formats of the language say.
"""
