"""A gateway that ends its jobs as one might write it at first: no fence, and the refund after the fact.

It is what the fault campaign must find broken, or the campaign itself is worth nothing.
"""
