"""The commands of ``sambench``, one file each: ``add(parser)`` and ``main(arguments)``."""
