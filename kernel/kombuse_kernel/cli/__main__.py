"""`python -m kombuse_kernel.cli`"""

from kombuse_kernel.cli import main

main()
