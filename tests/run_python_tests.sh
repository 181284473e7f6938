#!/bin/sh
# Runs a script with the distribution's Python, whatever the PATH and the environment prefer.
exec env -u PYTHONPATH -u PYTHONHOME -u PYTHONSTARTUP /usr/bin/python3 -B -s "$@"
