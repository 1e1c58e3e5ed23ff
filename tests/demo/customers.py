#!/usr/bin/env python3
"""Customers as NDJSON, the same for every seed: COUNT [SEED]. Keys come shuffled, as from an export by hash."""

import random
import sys

count = int(sys.argv[1])
dice = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
tiers = ["bronze", "silver", "gold", "platinum"]
numbers = list(range(count))
dice.shuffle(numbers)
for n in numbers:
    cents = dice.randrange(0, 5_000_000)
    print(f'{{"username": "user{n:07d}", "tier": "{dice.choice(tiers)}", "balance": {cents // 100}.{cents % 100:02d}, '
          f'"visits": {dice.randrange(10_000)}, "active": {"true" if dice.random() < 0.9 else "false"}, '
          f'"address": {{"zip": "{dice.randrange(100_000):05d}", "city": "Springfield"}}, '
          f'"updated_at": "2026-{dice.randrange(1, 11):02d}-{dice.randrange(1, 28):02d}T12:00:00Z"}}')
