"""Policy documents as messages, and back."""

from localmesh.control import control_pb2 as messages
from localmesh.control.failures import decode_problems, encode_problems
from localmesh.errors import Where
from localmesh.observe.policies import Policy, Refusal
from localmesh.observe.rules import PolicyRule


def encode_policy(policy: Policy) -> messages.Policy:
    """The message that says the same."""
    return messages.Policy(
        kind=policy.kind,
        namespace=policy.namespace,
        name=policy.name,
        file=policy.where.file,
        line=policy.where.line,
        pods=policy.pods,
        hosts=policy.hosts,
        action=policy.action,
        dry_run=policy.dry_run,
        rules=[
            messages.PolicyRule(file=each.where.file, line=each.where.line, path=each.where.path, says=each.says)
            for each in policy.rules
        ],
        applied_at=policy.applied_at,
        refused_at=policy.refused.at if policy.refused else 0.0,
        refused=encode_problems(policy.refused.problems if policy.refused else ()),
    )


def decode_policy(message: messages.Policy) -> Policy:
    """The policy that this message stands for, but for columns."""
    refused = Refusal(message.refused_at, tuple(decode_problems(message.refused))) if message.refused else None
    return Policy(
        kind=message.kind,
        namespace=message.namespace,
        name=message.name,
        where=Where(message.file, message.line),
        pods=tuple(message.pods),
        hosts=tuple(message.hosts),
        action=message.action,
        dry_run=message.dry_run,
        rules=tuple(PolicyRule(Where(each.file, each.line, 0, each.path), each.says) for each in message.rules),
        applied_at=message.applied_at,
        refused=refused,
    )
