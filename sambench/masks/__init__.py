"""Masks and prompts: run lengths, upsampling, clicks, and everything in an image."""
