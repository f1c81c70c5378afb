"""What a demonstration needs beside the real thing: a made-up round, and policies dated around today."""
