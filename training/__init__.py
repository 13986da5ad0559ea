"""Training and evaluation of both models; serving never imports it."""
