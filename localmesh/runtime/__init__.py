"""Pods as processes of this machine.

    Mesh + LocalRun ─► plan ─► PodPlan ─► supervisor ─► pod ─► keeper ─► process
                        ▲                     │
               addresses, dirs, programs      └─► on_change: who is ready now

`plan` is pure and says what would run; the supervisor performs it. A pod is its apps and an Envoy, each kept running by
a `keeper`; what a pod's state is follows from the states of its keepers. This package knows Envoy only as one more
program with a readiness probe: `up` hands it the bootstrap as text.
"""
