"""Configs -> tasks. Modules here import TensorFlow, except those in `fixed/`; this file imports nothing."""
