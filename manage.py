#!/usr/bin/env python
import gc
import os
import sys

import django
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio_gateway.settings")
    # What is imported stays: to look through it for garbage, now and at the end, takes a quarter of a short command's
    # time, and in processes that fork copies the pages that they share.
    gc.disable()
    django.setup()
    gc.freeze()
    gc.enable()
    execute_from_command_line(sys.argv)
