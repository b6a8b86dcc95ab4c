"""The replay: a journal played to the loop, and every decision compared.

`reading` finds a run and reads its lines, `tape` is the script that answers from them
and stops at the first difference, `comparison` says what is different.
"""
