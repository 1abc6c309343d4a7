"""Calls a resource with mandates for one call, with the published Python SDK: in a narrowed session and as an application."""

import asyncio
import os

from caracalai import Authority, Caracal, DelegationConstraints
from caracalai.errors import CoordinatorError


async def main() -> None:
    resource = os.environ["CARACAL_RESOURCE_ID"]
    path = os.environ["CARACAL_RESOURCE_PATH"]
    caracal = Caracal()
    _, application = caracal.identity()

    async with caracal.session(labels=[application]):
        narrowed = Authority.narrow(
            ["billing:charge"],
            ttl_seconds=300,
            resource_id=resource,
            constraints=DelegationConstraints(max_hops=3),
        )
        async with caracal.session(authority=narrowed, labels=[application]) as child:
            for amount in (1200, 1300):
                answer = await caracal.fetch(
                    resource, path, method="POST", json={"amount": amount}, scopes=["billing:charge"]
                )
                print("narrowed", answer.status_code, answer.text)
            print("delegation", child.delegation_id)
            async with caracal.session(labels=[application]) as grandchild:
                answer = await caracal.fetch(
                    resource, path, method="POST", json={"amount": 5}, scopes=["billing:charge"]
                )
                print("inherited", answer.status_code, grandchild.delegation_id != child.delegation_id)
            wider = Authority.narrow(["billing:read"], ttl_seconds=60, resource_id=resource)
            try:
                async with caracal.session(authority=wider):
                    pass
            except CoordinatorError as error:
                print("wider", error.status, error.code)

    async with caracal.application_transport(resource, scopes=["billing:charge"]) as client:
        for amount in (1, 2):
            answer = await client.post(os.environ["UPSTREAM_URL"] + path, json={"amount": amount})
            print("application", answer.status_code, answer.text)
    service = await caracal.start_session(labels=[application])
    await service.heartbeat()
    print("service", service.status)
    await service.aclose()
    await caracal.aclose()
    print("done")


asyncio.run(main())
