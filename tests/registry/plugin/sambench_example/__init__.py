"""Plug-ins for sambench."""
