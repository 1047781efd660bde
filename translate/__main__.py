"""`python -m translate` is the command `translate`; torchrun starts it so."""

from translate.cli import main

if __name__ == "__main__":
    main()
