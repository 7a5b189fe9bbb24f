"""Injects faults into exports, and hostile modules into their readers."""
