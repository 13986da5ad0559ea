"""The three BentoML services: Gateway, XRayFilter and CovidClassifier."""
