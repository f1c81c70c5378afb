"""Judging again: what other rules, another day or a second look would answer. It changes and sends nothing.

``differences``: two policies on made-up tables. ``simulation``: what left, under a new policy. ``replay``:
every recorded decision, made again from what the ledger kept. ``lapses``: what ends soon.
"""
