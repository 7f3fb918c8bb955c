"""Automation over HTTP: parse, call one service or selector, render."""
