import { describe, expect, it } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { CHARTS } from '../../src/engine/charts.js';
import { toChart } from '../../src/visualize/chart.js';
import { toScxml, xmlId } from '../../src/visualize/scxml.js';
import { FOREIGN } from './foreign.js';
import { specimen } from './specimen.js';
import { all, type Element, parseXml } from './xml.js';

const charts: readonly (readonly [string, AnyStateMachine])[] = Object.entries({
  ...CHARTS,
  ...FOREIGN,
  specimen,
});
const KINDS = {
  atomic: 'state',
  compound: 'state',
  parallel: 'parallel',
  final: 'final',
  history: 'history',
};
const STATES = ['state', 'parallel', 'final', 'history'];
/** Elements that SCXML allows in each element. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  scxml: ['state', 'parallel', 'final'],
  state: ['onentry', 'onexit', 'transition', 'initial', 'state', 'parallel', 'final', 'history', 'invoke'],
  parallel: ['onentry', 'onexit', 'transition', 'state', 'parallel', 'history', 'invoke'],
  final: ['onentry', 'onexit'],
  history: ['transition'],
  initial: ['transition'],
  invoke: [],
  ...Object.fromEntries(
    ['onentry', 'onexit', 'transition'].map((name) => [name, ['raise', 'send', 'cancel', 'chart:action']]),
  ),
};

const document = (machine: AnyStateMachine): Element => parseXml(toScxml(machine, 'abc'));
const targetsOf = ({ attributes }: Element): string[] => (attributes.target ?? '').split(' ').filter(Boolean);

describe.each(charts)('SCXML of %s', (_, machine) => {
  const root = document(machine);
  const chart = toChart(machine);
  const states = all(root).filter(({ name }) => STATES.includes(name));

  it('has the null data model, and only elements that SCXML has at their place', () => {
    expect(root.attributes).toMatchObject({ datamodel: 'null', version: '1.0' });
    const wrong = all(root).flatMap(({ name, children }) =>
      children.flatMap((child) =>
        name.startsWith('chart:') || ALLOWED[name]?.includes(child.name) ? [] : [`${child.name} in ${name}`],
      ),
    );
    expect(wrong).toEqual([]);
  });

  it('has each state of the machine, of its kind, in its parent', () => {
    const found = states.map((state) => [
      state.attributes.id,
      state.name,
      states.find(({ children }) => children.includes(state))?.attributes.id ?? null,
    ]);
    const wanted = chart.states.map(({ id, kind, parent }) => [
      xmlId(id),
      KINDS[kind],
      parent === null ? null : xmlId(parent),
    ]);
    expect(found).toEqual(wanted);
    const ids = states.map(({ attributes }) => attributes.id ?? '');
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[\p{L}_][\p{L}\p{N}._-]*$/u);
  });

  it('has each transition of the machine, with its targets, in the order of its guards', () => {
    const words = (targets: readonly string[], isConditional: boolean) =>
      `${targets.join(' ')}${isConditional ? ' if' : ''}`;
    for (const { id, kind } of chart.states) {
      if (kind === 'history' || kind === 'final') continue;
      const state = states.find(({ attributes }) => attributes.id === xmlId(id));
      const found = state?.children
        .filter(({ name }) => name === 'transition')
        .map((element) => words(targetsOf(element), element.attributes.cond !== undefined));
      const wanted = chart.edges
        .filter(({ source }) => source === id)
        .map(({ targets, guard }) => words(targets.map(xmlId), guard !== null));
      expect(found?.toSorted(), id).toEqual(wanted.toSorted());
    }
  });

  it('refers only to states and invokes that it has', () => {
    const ids = new Set(states.map(({ attributes }) => attributes.id));
    const referred = all(root).flatMap((element) => [
      ...(element.name === 'transition' ? targetsOf(element) : []),
      ...(element.attributes.initial === undefined ? [] : [element.attributes.initial]),
    ]);
    expect(referred.filter((id) => !ids.has(id))).toEqual([]);
    const invokes = chart.states.flatMap((state) => state.invokes.map(({ id }) => xmlId(id)));
    expect(all(root).flatMap(({ name, attributes }) => (name === 'invoke' ? [attributes.id] : []))).toEqual(
      expect.arrayContaining(invokes),
    );
  });

  it('starts each delay on entry, cancels it on exit, and has a transition for it', () => {
    const delays = chart.edges.filter(({ trigger }) => trigger.kind === 'after');
    const sent = all(root).filter(
      ({ name, attributes }) => name === 'send' && attributes.event?.startsWith('after.'),
    );
    const keys = new Set(delays.map(({ source, trigger }) => `${source} ${JSON.stringify(trigger)}`));
    expect(sent).toHaveLength(keys.size);
    for (const { attributes } of sent) {
      expect(attributes.delay ?? attributes.delayexpr).toMatch(/./);
      const named = (name: string, key: string) =>
        all(root).some((other) => other.name === name && other.attributes[key] === attributes.event);
      expect([named('cancel', 'sendid'), named('transition', 'event')]).toEqual([true, true]);
    }
  });
});

describe('toScxml', () => {
  const elements = all(document(FOREIGN.everything));
  const transitions = (id: string) =>
    elements
      .find(({ attributes }) => attributes.id === id)
      ?.children.filter(({ name }) => name === 'transition')
      .map(({ attributes: { event, cond } }) => [event, cond]);

  it('writes combined guards as expressions, and keeps their params', () => {
    expect(transitions('everything.left.idle')).toEqual([
      ['GO', 'ready && !busy'],
      ['GO', `isCode({"code":404}) || In('right.two')`],
      ['GO', `In('everything.right.one')`],
      ['GO', undefined],
      ['a.b', undefined],
      ['after.500.everything.left.idle', undefined],
      ['after.pause.everything.left.idle', 'ready'],
    ]);
  });

  it('puts a wildcard after the events that it includes', () => {
    const names = all(document(FOREIGN.names)).find(
      ({ attributes }) => attributes.id === xmlId('a chart > "of" <others>.first state'),
    );
    expect(names?.children.flatMap(({ attributes }) => attributes.event ?? [])).toEqual([
      'go_x0020__x003E__x0020_there',
      'emoji_x0020_🙂_x0020__x0007_',
      'with.dots.*',
      '*',
    ]);
  });

  it('writes actors, histories, and what a chart sends, raises and cancels', () => {
    expect(transitions('everything.left.working')).toEqual([
      ['done.invoke.load', 'guard'],
      ['done.invoke.load', undefined],
      ['error.platform.load', undefined],
      ['snapshot.load', undefined],
    ]);
    const text = toScxml(FOREIGN.everything, 'abc');
    for (const part of [
      '<history id="everything.left.hist" type="deep">',
      '<history id="everything.right.two.back" type="shallow">',
      '<transition target="everything.left.working"/>',
      '<raise event="TICK"/>',
      '<send event="TICK" id="later" delay="20ms"/>',
      '<send event="TICK" target="#_whole"/>',
      '<send event="TICK" target="#_parent"/>',
      '<cancel sendid="later"/>',
      'target="everything.right.two everything.left.idle"',
      '<chart:param name="times">2</chart:param>',
      '<chart:action name="say" params="computed"/>',
      '<chart:action name="assign"/>',
    ])
      expect(text).toContain(part);
  });
});
