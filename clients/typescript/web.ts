// Finds a person over gRPC-Web, as a page in a browser does with createGrpcWebTransport of @connectrpc/connect-web.
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-node";

const { HEARTH_ARCHIVE = "", HEARTH_CA = "", HEARTH_IMAGE = "", HEARTH_TOKEN = "" } = process.env;
const contracts = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(HEARTH_IMAGE)));
const transport = createGrpcWebTransport({ baseUrl: HEARTH_ARCHIVE, httpVersion: "2", nodeOptions: { ca: readFileSync(HEARTH_CA) } });
const parties: any = createClient(contracts.getService("hearth.archive.v1.PartyService")!, transport);
const answer = await parties.searchParties({ phone: "13812345678" }, { headers: { authorization: `Bearer ${HEARTH_TOKEN}` } });
console.log(`found over gRPC-Web: ${answer.parties[0].name} ${answer.parties[0].phone}`);
