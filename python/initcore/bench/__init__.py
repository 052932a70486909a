"""Speed beside the peers and beside the roof: what ``initcore bench`` and the folder ``bench/`` share.

`settings` says what the libraries may use, `interleaved` lets contestants take turns, `entries` makes the
comparisons; `networks`, `peers` and the ``in_...`` modules are the same training step in each library.
`suite` is the run of a minute, which `report` prints and `picture` draws. ``import initcore`` leaves
it alone.
"""
