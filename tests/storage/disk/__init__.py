"""Simulate power losses, for the tests of everything that must survive them.

`recording.recorded` runs a part of the program in a real folder and records each system call that changes it: a
trace. `model.power_losses` computes from the trace what a power loss may leave, at any moment of it. `survey` writes
each of those states into a folder and calls a loader on it. `scenarios` are what the program does, with its loaders.

The model of the disk is the weakest one that the standard and the known file systems leave to a program:

- What was written to a file is on the disk after an fsync of that file. Before that, any of its blocks may be there,
  the others being as they were, or zero where the file had grown (delayed allocation): so nothing, a beginning, an end
  after zeros, zeros alone, or all of it. A file's size may be ahead of its content.
- An entry of a folder (a file or folder that was created, renamed or removed) is on the disk after an fsync of that
  folder; an fsync of the file is not enough. Before that, any subset of a folder's changes may be there, whatever their
  order (ext2 and btrfs reorder them; the journals of ext4 and XFS keep the order, and those states are among these).
- Changes of different folders and files are independent of each other.
- A rename is one change: its old name and its new one are never both gone. That is what every program relies on.
- What is on the disk stays as it is: sectors that rot or devices that lie about an fsync are no part of the model.

States need to be checked only just before something becomes durable: what a power loss may leave earlier is among
the subsets of what is pending then. The subsets are all enumerated where they are few, and otherwise the extreme ones
and a sample with a fixed seed.

Sources of the ideas (no code was taken): Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014 (ALICE:
traces, an abstract persistence model, ordering of directory operations per file system); Mohan et al., "Finding
Crash-Consistency Bugs with Bounded Black-Box Crash Testing", OSDI 2018 (CrashMonkey and ACE: short workloads,
exhaustively); RocksDB's FaultInjectionTestFS (files vanish whose folder was not synced); SQLite's src/test6.c (unsynced
writes are lost or garbled at a simulated crash); POSIX.1-2017, fsync, and Austin Group defect 672 (what makes the name
of a file durable).
"""
