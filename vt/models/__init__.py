"""Which models serve and stay in memory: the catalogue, fallback, the cache, preloading."""
