"""The recorder: everything that enters the loop, written down in order.

`ports` puts a script between the loop and its ports, `recorder` is the script that
writes, `segments` the files. The script that reads is in `runner.replay`.
"""
