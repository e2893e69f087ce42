// Registers a person over gRPC. Nothing is generated: the contracts come from their image.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { credentials, loadPackageDefinition, Metadata } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";

const { HEARTH_ARCHIVE = "", HEARTH_CA = "", HEARTH_IMAGE = "", HEARTH_TOKEN = "" } = process.env;
const { hearth } = loadPackageDefinition(loadFileDescriptorSetFromBuffer(readFileSync(HEARTH_IMAGE))) as any;
const parties = new hearth.archive.v1.PartyService(new URL(HEARTH_ARCHIVE).host, credentials.createSsl(readFileSync(HEARTH_CA)));
const metadata = new Metadata();
metadata.set("authorization", `Bearer ${HEARTH_TOKEN}`);
const person = { request_id: randomUUID(), name: "王芳", id_number: "11010519491231002X", phone: "13812345678", branch: "河西区" };
parties.registerPerson(person, metadata, (refused: Error | null, answer: any) => {
  if (refused) throw refused;
  console.log(`registered over gRPC: ${answer.party.name} ${answer.party.phone}`);
  parties.close();
});
