"""Promises of the whole, seen only from outside: through the gateway, real Envoys and real stores.

Tests speak to the mesh only through `backend.Mesh`, so that a cluster can stand behind it as well as this machine.
"""
