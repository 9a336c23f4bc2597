"""The guided tour of a running mesh. Each chapter makes real calls and holds what comes back against its promise.

story      how it reads, and what happens when a promise does not hold
mesh       what the tour asks of whoever operates the mesh: the pods, the death of one, the policies
local      it is on this machine: by the command line of `localmesh`
cluster    it is on a kind cluster: by kubectl
people     a thousand users from a CSV file, and the list of them
talk       two people in a room
trip       a file to the mesh and back
calls      GetUser: who answers, one call or many
canary     the split between two versions, counted
loss       a replica killed amid traffic
edit       a policy changed in its file
tour       all of them, in order
"""
