// Calls the service by the client that was generated beside this file: node built/call.js URL IMAGE OTHER
import { readFile } from "node:fs/promises";

import { client } from "./client/client.gen";
import { analyseBatch, analyseImage } from "./client/sdk.gen";
import type { Finding, ProblemCode } from "./client/types.gen";

const blob = async (path: string): Promise<Blob> => new Blob([await readFile(path)]);

async function main(url: string, film: string, other: string): Promise<void> {
  client.setConfig({ baseUrl: url });
  const one = await analyseImage({ body: { image: await blob(film) }, query: { heatmap: "none" } });
  const label: Finding | undefined = one.data?.prediction.label;

  const refused = await analyseImage({ body: { image: await blob(other) } });
  const code: ProblemCode | undefined = refused.error?.code;

  const both = await analyseBatch({ body: { image: [await blob(film), await blob(other)] } });
  const results = both.data?.results.map((each) => ("code" in each ? each.code : each.prediction.label));

  console.log(JSON.stringify({ label, code, status: refused.response?.status, results }));
}

const [url = "", film = "", other = ""] = process.argv.slice(2);
void main(url, film, other);
