"""How a spec begins that mends a dataset of the embedded store where it lies; what follows is formatted with it."""

FIX = """
sluice: 1
name: fix
source: {{ store: "rocksdb:live", dataset: items }}
target: {{ store: "rocksdb:live", dataset: items }}
transform: {{ lua: fix.lua }}
"""
