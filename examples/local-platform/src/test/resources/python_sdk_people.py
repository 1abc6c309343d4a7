"""People, with the published Python SDK: a session for a federated user, and a call that the user approves while it waits."""

import asyncio
import os

import httpx
from caracalai import ApprovalRequired, Authority, Caracal, DelegationConstraints


async def main() -> None:
    resource = os.environ["CARACAL_RESOURCE_ID"]
    path = os.environ["CARACAL_RESOURCE_PATH"]
    caracal = Caracal()
    _, application = caracal.identity()
    user = await asyncio.to_thread(caracal.federate_subject, os.environ["ID_TOKEN"])
    print("federated", user.subject_authority_record_id, user.expires_in_seconds)

    async def decide(held: ApprovalRequired) -> None:
        async with httpx.AsyncClient() as client:
            answer = await client.post(
                f"{os.environ['STS_URL']}/approvals/{held.approval_id}/decision",
                json={"decision": "approved", "binding": held.binding},
                headers={"Authorization": f"Bearer {user.token}"},
            )
        print("decided", answer.status_code, answer.json()["state"])

    decisions = []

    async def charge(approval_id: str | None) -> httpx.Response:
        try:
            return await caracal.fetch(
                resource,
                path,
                method="POST",
                json={"amount": 1200},
                scopes=["billing:charge"],
                approval_id=approval_id,
            )
        except ApprovalRequired as held:
            decisions.append(asyncio.create_task(decide(held)))
            raise

    async with caracal.session(
        labels=[application], subject_authority_record_id=user.subject_authority_record_id
    ):
        narrowed = Authority.narrow(
            ["billing:charge"],
            ttl_seconds=300,
            resource_id=resource,
            constraints=DelegationConstraints(max_hops=1),
        )
        async with caracal.session(
            authority=narrowed,
            labels=[application],
            subject_authority_record_id=user.subject_authority_record_id,
        ):
            answer = await caracal.with_approval(charge)
            print("approved", answer.status_code)
            await asyncio.gather(*decisions)
    await caracal.aclose()
    print("done")


asyncio.run(main())
