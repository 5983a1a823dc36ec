"""Pages of docs/ whose commands are run, in order, against a real control plane.

What a page may contain, and what is done with it:

- a fenced `yaml` block whose first line is `# FILE.yaml` is written to that file;
- a fenced `sh` block is run line by line with bash (a line that ends in a backslash goes on); a command must succeed;
- `# → TEXT` after a command: its output contains the text; white space counts as a blank, `…` stands for anything;
- `# fails → TEXT` after a command: it fails, and its output contains the text;
- a command that only looks (`kubectl get`, `tuning status` and the like) is repeated until it shows what is expected;
- `<!-- test: NAME -->` on a line of its own: the test does what it knows under this name, a fault for example;
- other blocks (`console`, `text`, …) are left alone: use them for what can't be run here.

To have a page run, add it to `PAGES` in `test_pages.py`. What else it needs (a database, a fault) is a fixture there.
"""
