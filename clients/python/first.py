"""A small client: registers a person. Nothing is generated: the contracts come from their image."""

import os
import uuid

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

with open(os.environ["HEARTH_IMAGE"], "rb") as image, open(os.environ["HEARTH_CA"], "rb") as authority:
    files, credentials = descriptor_pb2.FileDescriptorSet.FromString(image.read()), grpc.ssl_channel_credentials(authority.read())
contracts = descriptor_pool.DescriptorPool()
for file in files.file:
    contracts.Add(file)
method = contracts.FindServiceByName("hearth.archive.v1.PartyService").FindMethodByName("RegisterPerson")
asked, answered = (message_factory.GetMessageClass(message) for message in (method.input_type, method.output_type))
channel = grpc.secure_channel(os.environ["HEARTH_ARCHIVE"].removeprefix("https://"), credentials)
register = channel.unary_unary("/hearth.archive.v1.PartyService/RegisterPerson", asked.SerializeToString, answered.FromString)
person = asked(request_id=str(uuid.uuid4()), name="王芳", id_number="11010519491231002X", phone="13812345678", branch="河西区")
party = register(person, metadata=[("authorization", f"Bearer {os.environ['HEARTH_TOKEN']}")], timeout=10).party
print(f"registered: {party.name} {party.phone}")
