"""The split between two versions, counted and held against the weights in the policy's file."""

from collections import Counter
from math import sqrt

from clients.channel import Gateway
from clients.demo import calls
from clients.demo.story import Story
from clients.demo.weights import Weights

COUNT = 300
# So far from the expected count a fair split comes once in two million tours.
_DEVIATIONS = 5


async def counted(story: Story, gateway: Gateway, user_id: str, weights: Weights) -> None:
    """Calls, and counts who answered."""
    answers = await calls.many(gateway, user_id, COUNT)
    by_version = Counter(answer.version for answer in answers)
    for pod, count in sorted(Counter(answer.pod for answer in answers).items()):
        story.say(f"{pod:<24} {count:>4}  {'█' * round(count / COUNT * 40)}")
    shares = weights.shares()
    fair = set(by_version) <= set(shares) and all(
        abs(by_version[version] - COUNT * share) <= _DEVIATIONS * sqrt(COUNT * share * (1 - share))
        for version, share in shares.items()
    )
    expected = ", ".join(f"{version} {share:.0%}" for version, share in shares.items())
    seen = ", ".join(f"{version} {by_version[version] / COUNT:.0%}" for version in shares)
    story.hold(fair, f"{COUNT} calls were split as the policy says: {expected}", seen)
