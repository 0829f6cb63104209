"""The fixed tasks: a published name for one (family, config) each. No TensorFlow here."""
