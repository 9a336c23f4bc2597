"""`localmesh` with istiod's debounce: a save is taken up when nothing was saved for 100 ms (PILOT_DEBOUNCE_AFTER).

python -m bench.debounced --state FOLDER up --foreground DEPLOY
"""

from localmesh.cli import main
from localmesh.up import watch

AFTER_SECONDS = 0.1

if __name__ == "__main__":
    watch.TOGETHER_SECONDS = AFTER_SECONDS
    main()
