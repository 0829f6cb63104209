"""Tasks in other frameworks: `Task.as_torch`, `Task.as_jax`. TensorFlow computes loss and gradients; the framework steps."""
