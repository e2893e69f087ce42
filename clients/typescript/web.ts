// Finds a person over gRPC-Web by the code of a page in a browser; there HEARTH_IMAGE is fetched, and the authority is the system's.
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

const { HEARTH_ARCHIVE = "", HEARTH_IMAGE = "", HEARTH_TOKEN = "" } = process.env;
const contracts = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(HEARTH_IMAGE)));
const parties: any = createClient(contracts.getService("hearth.archive.v1.PartyService")!, createGrpcWebTransport({ baseUrl: HEARTH_ARCHIVE }));
const answer = await parties.searchParties({ phone: "13812345678" }, { headers: { authorization: `Bearer ${HEARTH_TOKEN}` } });
console.log(`found over gRPC-Web: ${answer.parties[0].name} ${answer.parties[0].phone}`);
