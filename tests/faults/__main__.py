"""Injects all faults, prints figures, and writes them to a page.

python -m tests.faults                             # all, about 10 minutes
python -m tests.faults --kinds=killed,disk --short # some, briefly
python -m tests.faults --page=docs/faults.md       # all, to the page
"""
