// What was planned, by its digest; what it differs in from the run before; the approval, with a comment.
import { at } from "../api.js";
import { count, duration, share, visible } from "../format.js";
import { html } from "../html.js";
import { useAnswer, Missing } from "../parts/asked.js";
import { Buttons } from "../parts/buttons.js";
import { Diff } from "../parts/diff.js";

/** The run of the same spec before this one. */
function useEarlier(status) {
  const answer = useAnswer(at.spec(status.spec, 50));
  const number = Number(status.run.split(".").at(-1));
  const runs = answer.data?.runs ?? [];
  return runs.map((run) => run.run).find((name) => Number(name.split(".").at(-1)) < number) ?? null;
}

function Gate({ session, status }) {
  const gate = status.waits_for;
  const stage = status.stages.find(({ name }) => name === gate.stage), at = status.stages.indexOf(stage);
  const next = status.stages[at + 1];
  return html`<section class="panel first"><h2>${gate.given_by ? `Stage ${gate.stage} is approved by ${gate.given_by}` : `Stage ${gate.stage} waits for ${gate.approver ?? "somebody"}`}</h2>
    <dl class="facts"><dt>attempt</dt><dd>${gate.attempt}</dd><dt>plan</dt><dd class="code">${gate.plan_digest}</dd><dt>report</dt><dd class="code">${gate.report ?? "none"}</dd>
      <dt>then</dt><dd>${next ? `stage ${next.name}: ${count(next.partitions.total)} partitions` : "the run is done"}</dd></dl>
    <${Buttons} session=${session} status=${status} only=${gate.given_by ? ["resume"] : ["approve", "deny"]} /></section>`;
}

function Values({ of }) {
  const show = (value) => visible(value !== null && typeof value === "object" ? JSON.stringify(value) : String(value), 4000);
  return html`<table class="plain"><tbody>${Object.entries(of).map(([name, value]) => html`<tr key=${name}><th scope="row" class="code">${name}</th><td class="code">${show(value)}</td></tr>`)}</tbody></table>`;
}

function Stages({ plan, status }) {
  const rows = plan.stages ?? status.stages;
  const soak = (stage) => (stage.soak_ms ? duration(stage.soak_ms / 1000) : "–");
  return html`<table><thead><tr><th scope="col">stage</th><th scope="col" class="number">partitions</th><th scope="col" class="number">records</th><th scope="col">verified</th><th scope="col">soak</th><th scope="col">approved by</th></tr></thead>
    <tbody>${rows.map((stage) => {
      const parts = typeof stage.partitions === "object" ? stage.partitions.total : stage.partitions;
      return html`<tr key=${stage.name}><th scope="row">${stage.name}</th><td class="number">${count(parts)}</td><td class="number">${count(stage.records)}</td><td>${stage.sampled === undefined ? "–" : stage.sampled ? "by a sample" : "in full"}</td><td>${soak(stage)}</td><td>${stage.approve ?? "–"}</td></tr>`;
    })}</tbody></table>`;
}

export function Plan({ session, status, run }) {
  const answer = useAnswer(at.plan(run));
  const earlier = useEarlier(status);
  const told = answer.data, plan = told?.plan ?? {}, environment = plan.environment;
  const { stages, ...rest } = plan;
  return html`${status.waits_for?.stage && html`<${Gate} session=${session} status=${status} />`}
    <section class="panel"><h2>Plan</h2><p class="code digest">${told?.digest ?? status.plan_digest}</p>
      <${Missing} answer=${answer} what="the plan" />
      ${environment && html`<p>Environment <b>${visible(environment.name)}</b>: ${[environment.approve && `${visible(environment.approve)} lets it past its first stage`, environment.canary > 0 && `which holds at most ${share(environment.canary, 1)}`, environment.reason && "whoever widens it says why"].filter(Boolean).join(", ") || "asks for nothing"}.</p>`}
      <div class="scroll" tabindex="0" role="region" aria-label="stages of the plan"><${Stages} plan=${plan} status=${status} /></div>
      ${told && html`<details><summary>all that is frozen</summary><div class="scroll" tabindex="0" role="region" aria-label="the frozen plan"><${Values} of=${rest} /></div></details>`}
      ${told?.texts?.map((text) => html`<details key=${text.name}><summary>${text.what}: <span class="code">${text.name}</span></summary><pre tabindex="0">${text.text.split("\n").map((line) => visible(line, 4000)).join("\n")}</pre></details>`)}
    </section>
    <section class="panel"><h2>What differs from ${earlier ?? "the run before"}</h2>
      ${earlier ? (session.may("records") ? html`<${Diff} a=${earlier} b=${run} />` : html`<p class="none">To see it needs a token that may see records.</p>`) : html`<p class="none">This is the first run of ${status.spec}.</p>`}</section>`;
}
