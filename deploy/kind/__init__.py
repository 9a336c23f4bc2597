"""`make kind-up` and its kin: the bundle on a kind cluster under Istio.

settings   what a site changes, from the environment
commands   a program run with a time limit, and what is said when it fails
kubectl    kubectl on one cluster, never on whatever context happens to be current
doctor     what is missing or too old, and how to get it
cluster    the kind cluster: made, mended, or found
images     built, pulled, loaded into the nodes
overlay    the kustomization that is applied: deploy/k8s and deploy/istio, tags and components of this site
definitions  what the Gateway API is made of, where a component needs it
istio      istioctl install, with or without its CNI agent
ready      waiting until everything runs, and what one would look at where it does not
pods       the pods as an operator sees them, and kill -9
ways       the gateway and the pages of the components, at 127.0.0.1
up         all of it in order
"""
