"""`make bench`."""

from .cost import main

if __name__ == "__main__":
    main()
