/**
 * One morning of a front-end: log in, list who needs something, move somebody, follow the log.
 *
 * `schema.ts` is made from docs/openapi.yaml by openapi-typescript; nothing here is typed by hand.
 */

import createClient from "openapi-fetch";

import type { components, paths } from "./schema";

export type Journey = components["schemas"]["Journey"];
export type LogEntry = components["schemas"]["LogEntry"];
export type Problem = components["schemas"]["ProblemDetails"];

/** Of this host, or of one that names ours in CORS_ALLOWED_ORIGINS. */
export function kura(baseUrl: string) {
  const client = createClient<paths>({ baseUrl, credentials: "include" });
  client.use({
    onRequest({ request }) {
      const token = cookie("csrftoken");
      if (request.method !== "GET" && token) request.headers.set("X-CSRFToken", token);
      return request;
    },
  });
  return client;
}

type Kura = ReturnType<typeof kura>;

function cookie(name: string): string | undefined {
  const pairs = document.cookie.split("; ").map((pair) => pair.split("="));
  return pairs.find(([known]) => known === name)?.[1];
}

/** A refusal as an exception; programs branch on `problem.code`, people read `problem.detail`. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail ?? problem.title);
  }
}

export async function logIn(api: Kura, email: string, password: string) {
  await api.GET("/api/v1/auth/csrf"); // sets the cookie that the log-in repeats
  const { data, error } = await api.POST("/api/v1/auth/login", { body: { email, password } });
  if (error) throw new Refused(error);
  return data;
}

/** Everybody who waits for something, page after page. */
export async function* waiting(api: Kura): AsyncGenerator<Journey> {
  let cursor: string | undefined;
  do {
    const query = { action_required: true, page_size: 100, ...(cursor ? { cursor } : {}) };
    const { data, error } = await api.GET("/api/v1/journeys", { params: { query } });
    if (error) throw new Refused(error);
    yield* data.results;
    cursor = data.next ? (new URL(data.next).searchParams.get("cursor") ?? undefined) : undefined;
  } while (cursor);
}

/** The move as it stands on the screen: whoever was quicker is not overwritten (`stale_write`). */
export async function move(api: Kura, journey: Journey, to_stage: string, reason = "") {
  const { data, error } = await api.PATCH("/api/v1/patients/{patient_id}/journey", {
    params: {
      path: { patient_id: journey.patient_id },
      header: { "If-Match": journey.etag, "Idempotency-Key": crypto.randomUUID() },
    },
    body: { journey_key: journey.journey_key, to_stage, reason },
  });
  if (error) throw new Refused(error);
  return data;
}

/** Every move after this one, in order, for as long as somebody looks. */
export async function* follow(api: Kura, after_id: number, seconds = 5): AsyncGenerator<LogEntry> {
  for (;;) {
    const { data, error } = await api.GET("/api/v1/journey-logs", {
      params: { query: { after_id, page_size: 200 } },
    });
    if (error) throw new Refused(error);
    for (const entry of data.results) {
      after_id = entry.id;
      yield entry;
    }
    if (!data.next) await new Promise((done) => setTimeout(done, seconds * 1000));
  }
}

export async function morning(baseUrl: string, email: string, password: string): Promise<void> {
  const api = kura(baseUrl);
  const me = await logIn(api, email, password);
  console.log(`Good morning, ${me.user?.display_name ?? me.organisation.name}`);
  let seen = 0;
  for await (const journey of waiting(api)) {
    const next = journey.allowed_transitions.find((move) => move.allowed);
    if (!next) continue;
    const { log } = await move(api, journey, next.to_stage, "Spoke on the telephone");
    seen = log?.id ?? seen; // null: was there already
  }
  for await (const entry of follow(api, seen)) {
    console.log(`${entry.journey_key}: ${entry.from_stage ?? "-"} -> ${entry.to_stage}`);
  }
}
