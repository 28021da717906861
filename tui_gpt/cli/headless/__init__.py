"""The commands without a screen: progress on stderr, text or JSON lines on stdout, exit codes after signals.

They iterate what the session yields and hold no logic of training or generation. stdout is data, stderr is for people.
When the reader of stdout exits, the work is saved and stopped as after a signal.
"""
