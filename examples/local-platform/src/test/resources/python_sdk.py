"""Opens and closes sessions with the published Python SDK, and calls a resource inside one."""

import asyncio
import os

import httpx
from caracalai import Caracal


async def main() -> None:
    caracal = Caracal()
    async with caracal.session(task="demo", labels=["demo"]):
        async with caracal.session():
            pass
        print("child closed")
        target = caracal.gateway_request(
            os.environ["CARACAL_RESOURCE_ID"], os.environ["CARACAL_RESOURCE_PATH"]
        )
        headers = {**await caracal.aheaders(), **target.headers}
        async with httpx.AsyncClient() as client:
            answer = await client.post(target.url, json={"amount": 1200}, headers=headers)
        print("gateway", answer.status_code, answer.text)
    print("session closed")

    service = await caracal.start_session(labels=["worker"])
    await service.heartbeat()
    print("service", service.status)
    await service.aclose()
    print("service closed")
    await caracal.aclose()


asyncio.run(main())
