// What rules decide, in tables (decisions.ts says how they are read): own rules, mosquitto's file,
// both together.

import type { Acl } from '../../../src/auth/rules/acl.ts';
import { aclOf } from './decisions.ts';

export const tables: Readonly<Record<string, { acl: Acl; table: string }>> = {
  'no rules: everybody may do everything': {
    acl: aclOf([]),
    table: `
      - c1 publish a yes
      - c1 retain a/b yes
      - c1 receive $SYS/broker yes
      - c1 subscribe # all
      - c1 subscribe $SYS/# all
      alice c1 publish a yes
    `,
  },
  'a rule speaks for a name, for everybody, for clients without a name, or for a kind of name': {
    acl: aclOf([
      { user: 'alice', allow: 'all', filter: 'a' },
      { allow: 'all', filter: 'every' },
      { user: '', allow: 'all', filter: 'nameless' },
      { user: 'meter-*', allow: 'publish', filter: 'meters' },
      { user: 'x.y', allow: 'publish', filter: 'dots' },
    ]),
    table: `
      alice c1 publish a yes
      bob c1 publish a no
      - c1 publish a no
      alice c1 publish every yes
      - c1 publish every yes
      - c1 publish nameless yes
      alice c1 publish nameless no
      meter-7 c1 publish meters yes
      meter- c1 publish meters yes
      meter c1 publish meters no
      a-meter-7 c1 publish meters no
      - c1 publish meters no
      x.y c1 publish dots yes
      xzy c1 publish dots no
      alice c1 subscribe a all
      bob c1 subscribe a none
      alice c1 subscribe every all
      alice c1 retain a yes
      bob c1 retain a no
      alice c1 receive a yes
      bob c1 receive a no
      alice c1 publish b no
    `,
  },
  'client ids, alone and with a name': {
    acl: aclOf([
      { client: 'c1', allow: 'publish', filter: 'one' },
      { client: 'dev-*', allow: 'publish', filter: 'dev' },
      { user: 'alice', client: 'c2', allow: 'publish', filter: 'both' },
    ]),
    table: `
      - c1 publish one yes
      - c2 publish one no
      alice c1 publish one yes
      - dev-9 publish dev yes
      - dev publish dev no
      alice c2 publish both yes
      alice c1 publish both no
      bob c2 publish both no
    `,
  },
  'publish and subscribe are separate and add up': {
    acl: aclOf([
      { allow: 'publish', filter: 'p/#' },
      { allow: 'subscribe', filter: '+/x' },
      { allow: ['publish', 'subscribe'], filter: 'both' },
    ]),
    table: `
      u c1 publish p/x yes
      u c1 publish p yes
      u c1 subscribe p/x all
      u c1 receive p/x yes
      u c1 subscribe p/y none
      u c1 receive p/y no
      u c1 publish q/x no
      u c1 subscribe q/x all
      u c1 subscribe +/x all
      u c1 subscribe +/+ none
      u c1 subscribe # none
      u c1 publish both yes
      u c1 receive both yes
    `,
  },
  'a filter must be allowed whole': {
    acl: aclOf([
      { allow: 'subscribe', filter: 'a/+' },
      { allow: 'subscribe', filter: 'b/#' },
    ]),
    table: `
      u c1 subscribe a/+ all
      u c1 subscribe a/b all
      u c1 subscribe a/# none
      u c1 subscribe a none
      u c1 subscribe +/b none
      u c1 subscribe b all
      u c1 subscribe b/# all
      u c1 subscribe b/+/c all
      u c1 subscribe b/c/# all
      u c1 subscribe # none
    `,
  },
  'what is denied does not come through a wider filter': {
    acl: aclOf([
      { deny: 'all', filter: 'secret/#' },
      { allow: 'all', filter: '#' },
    ]),
    table: `
      u c1 subscribe open/# all
      u c1 subscribe open all
      u c1 subscribe # none
      u c1 subscribe +/x none
      u c1 subscribe secret none
      u c1 subscribe secret/x none
      u c1 subscribe secrets all
      u c1 publish secret no
      u c1 publish secret/x no
      u c1 publish secrets yes
      u c1 receive secret/x no
      u c1 receive open/x yes
    `,
  },
  'the first one wins': {
    acl: aclOf([
      { user: 'bob', allow: 'all', filter: 'secret/#' },
      { deny: 'all', filter: 'secret/#' },
      { allow: 'all', filter: '#' },
      { deny: 'all', filter: 'late/#' },
    ]),
    table: `
      bob c1 publish secret/1 yes
      eve c1 publish secret/1 no
      bob c1 subscribe secret/# all
      eve c1 subscribe secret/# none
      bob c1 publish late/1 yes
      eve c1 receive late/1 yes
      bob c1 subscribe # none
    `,
  },
  'receive: parts of a wider filter, allowed or taken out': {
    acl: aclOf([
      { user: 'reader', allow: 'receive', filter: ['a/#', 'b'] },
      { user: 'picky', deny: 'receive', filter: 'all/secret/#' },
      { user: 'picky', allow: 'subscribe', filter: 'all/#' },
      { user: 'deaf', deny: 'receive', filter: '#' },
      { user: 'deaf', allow: 'all', filter: 'x' },
    ]),
    table: `
      reader c1 subscribe # some
      reader c1 subscribe +/x some
      reader c1 subscribe a/# all
      reader c1 subscribe a all
      reader c1 subscribe b all
      reader c1 subscribe c none
      reader c1 subscribe c/# none
      reader c1 receive a yes
      reader c1 receive a/b/c yes
      reader c1 receive b yes
      reader c1 receive b/c no
      reader c1 publish a no
      picky c1 subscribe all/# some
      picky c1 subscribe all/secret/# none
      picky c1 subscribe all/secret none
      picky c1 subscribe all/open/# all
      picky c1 subscribe all/+ some
      picky c1 receive all/secret/x no
      picky c1 receive all/secret no
      picky c1 receive all/open yes
      deaf c1 subscribe x none
      deaf c1 subscribe # none
      deaf c1 receive x no
      deaf c1 publish x yes
    `,
  },
  'retain: as publish, unless said otherwise': {
    acl: aclOf([
      { deny: 'retain', filter: 'events/#' },
      { user: 'keeper', allow: 'retain', filter: 'kept' },
      { allow: 'publish', filter: ['events/#', 'state/#'] },
    ]),
    table: `
      u c1 publish events/1 yes
      u c1 retain events/1 no
      u c1 publish state/1 yes
      u c1 retain state/1 yes
      keeper c1 retain kept no
      keeper c1 publish kept no
      u c1 retain other no
    `,
  },
  'wildcards do not reach $SYS, a rule that names it does': {
    acl: aclOf([
      { user: 'all', allow: 'all', filter: '#' },
      { user: 'admin', allow: 'subscribe', filter: '$SYS/#' },
    ]),
    table: `
      all c1 subscribe $SYS/# none
      all c1 receive $SYS/broker/uptime no
      all c1 subscribe # all
      admin c1 subscribe $SYS/# all
      admin c1 subscribe $SYS/broker/+ all
      admin c1 receive $SYS/broker/uptime yes
      admin c1 subscribe # none
    `,
  },
  'names stand in for %u and %c': {
    acl: aclOf([
      { allow: 'all', filter: 'u/%u/#' },
      { allow: 'publish', filter: 'c/dev-%c' },
      { allow: 'publish', filter: '%c/%u/x' },
      { user: 'alice', allow: 'publish', filter: 'alice/%c/+' },
    ]),
    table: `
      alice c1 subscribe u/alice/# all
      alice c1 subscribe u/alice all
      alice c1 subscribe u/bob/# none
      alice c1 subscribe u/+/x some
      alice c1 receive u/alice/x yes
      alice c1 receive u/bob/x no
      - c1 subscribe u/# none
      - c1 publish u//x no
      - 7 publish c/dev-7 yes
      - 7 publish c/dev-8 no
      alice 7 publish 7/alice/x yes
      alice 7 publish 8/alice/x no
      - 7 publish 7//x no
      alice 7 publish alice/7/y yes
      alice 8 publish alice/7/y no
      bob 7 publish alice/7/y no
    `,
  },
  'a name made of wildcards, slashes or $ opens nothing': {
    acl: aclOf([
      { allow: 'all', filter: 'u/%u' },
      { allow: 'all', filter: 'c/%c/x' },
      { allow: 'all', filter: '%c/#' },
    ]),
    table: `
      + + subscribe u/+ none
      # # subscribe u/# none
      # # subscribe # none
      + + subscribe c/+/x none
      a/b a/b subscribe u/a/b none
      a/b a/b publish c/a/b/x no
      a/b a/b subscribe u/+ none
      # # publish u/a no
      + + publish c/a/x no
      x $SYS subscribe $SYS/# none
      x $SYS receive $SYS/broker/version no
      x plain subscribe plain/# all
    `,
  },
  'a name made of wildcards escapes no ban': {
    acl: aclOf([
      { deny: 'all', filter: 'ban/%c' },
      { allow: 'all', filter: '#' },
    ]),
    table: `
      u me publish ban/me no
      u me publish ban/you yes
      u m/e publish ban/you no
      u # publish ban/you no
      u # publish ban yes
    `,
  },
  "mosquitto's file: names, clients without one, and both directions": {
    acl: aclOf(
      [],
      `# anonymous
topic read public/#
topic write in/%c

user alice
topic a/b
topic readwrite with space
topic read r/#
topic write w/+
topic read
user bob
topic bob/#
user alice
topic more`,
    ),
    table: `
      - c1 receive public yes
      - c1 receive public/x yes
      - c1 publish public/x no
      - c1 subscribe public/# all
      - c1 subscribe # some
      - c1 publish in/%c yes
      - c1 publish in/c1 no
      - c1 receive a/b no
      alice c1 receive public/x no
      alice c1 publish a/b yes
      alice c1 receive a/b yes
      alice c1 retain a/b yes
      alice c1 publish r/x no
      alice c1 receive r/x yes
      alice c1 receive r yes
      alice c1 subscribe r/# all
      alice c1 subscribe w/+ none
      alice c1 publish w/x yes
      alice c1 publish w/x/y no
      alice c1 publish read yes
      alice c1 publish more yes
      alice c1 subscribe +/x some
      alice c1 subscribe nothing/# none
      alice c1 publish bob/x no
      bob c1 publish bob yes
      bob c1 publish bob/x yes
      bob c1 publish more no
      carol c1 publish a/b no
      carol c1 subscribe # none
    `,
  },
  "mosquitto's file: a denial wins wherever it stands": {
    acl: aclOf(
      [],
      `user u
topic readwrite a/#
topic deny a/secret/#
topic deny b/x
topic readwrite b/+
pattern readwrite p/%c/#
pattern deny p/%c/secret
pattern read a/secret/open`,
    ),
    table: `
      u c1 publish a yes
      u c1 publish a/secret no
      u c1 receive a/secret/x no
      u c1 receive a/secret/open no
      other c1 receive a/secret/open yes
      u c1 publish a/secrets yes
      u c1 publish b/x no
      u c1 publish b/y yes
      u c1 subscribe a/# some
      u c1 subscribe a/secret/# none
      u c1 subscribe b/+ some
      u c1 subscribe b/x none
      u c1 subscribe # some
      u c1 publish p/c1 yes
      u c1 publish p/c1/x/y yes
      u c1 publish p/c1/secret no
      u c1 subscribe p/c1/# some
      u c1 publish p/c2/x no
      other c2 publish p/c2/x yes
      other c2 publish p/c2/secret no
    `,
  },
  "mosquitto's file: patterns, and names that are no plain words": {
    acl: aclOf(
      [],
      `topic write anon
pattern read u/%u/#
pattern write c/%c
pattern readwrite %c/own/#
user +
topic write plus`,
    ),
    table: `
      alice c1 receive u/alice/x yes
      alice c1 receive u/alice yes
      alice c1 publish u/alice no
      alice c1 receive u/bob/x no
      alice c1 publish c/c1 yes
      alice c1 publish c/c2 no
      - c1 publish c/c1 yes
      - c1 publish anon yes
      - c1 receive u//x no
      - c1 subscribe u/# none
      - site/7 publish c/site/7 yes
      - site/7 publish site/7/own/x yes
      - site/7 publish site/8/own/x no
      + c1 publish plus yes
      + c1 publish c/c1 no
      - # publish c/# no
      - + publish c/x no
      - # subscribe c/# none
      x $SYS receive $SYS/own/x no
      x $SYS subscribe $SYS/own/# none
      a+b c1 publish c/c1 no
    `,
  },
  "mosquitto's file: $SYS": {
    acl: aclOf([], 'topic read #\nuser admin\ntopic read $SYS/#\npattern read #'),
    table: `
      - c1 subscribe $SYS/# none
      - c1 receive $SYS/x no
      - c1 subscribe # all
      admin c1 subscribe $SYS/# all
      admin c1 receive $SYS/x yes
      admin c1 receive a yes
    `,
  },
  'both: the rules are asked first, and the file decides what they leave open': {
    acl: aclOf(
      [
        { deny: 'all', filter: 'closed/#' },
        { user: 'boss', allow: 'all', filter: 'boss/#' },
        { deny: 'receive', filter: 'quiet/#' },
      ],
      `user boss
topic closed/x
topic deny boss/x
topic read quiet/#
topic write quiet/#
user worker
topic work/#`,
    ),
    table: `
      boss c1 publish closed/x no
      boss c1 receive closed/x no
      boss c1 publish boss/x yes
      boss c1 subscribe boss/# all
      boss c1 receive quiet/x no
      boss c1 publish quiet/x yes
      boss c1 subscribe quiet/# none
      worker c1 publish work/x yes
      worker c1 subscribe work/# all
      worker c1 subscribe # none
      worker c1 publish boss/x no
      worker c1 publish closed/x no
    `,
  },
  '$CONTROL is for superusers, whatever the rules say': {
    acl: aclOf(
      [
        { user: 'admin', allow: 'all', filter: '$CONTROL/#' },
        { user: 'admin', allow: 'all', filter: '$CONTROL' },
        { user: 'root', deny: 'all', filter: '$CONTROL/#' },
        { allow: 'all', filter: ['#', '$other/#', '$CONTROLS'] },
      ],
      'user admin\ntopic readwrite $CONTROL/#',
      ['root'],
    ),
    table: `
      admin c1 publish $CONTROL/x/v1 no
      admin c1 retain $CONTROL/x/v1 no
      admin c1 publish $CONTROL no
      admin c1 receive $CONTROL/x/v1 no
      admin c1 subscribe $CONTROL/# none
      admin c1 subscribe $CONTROL/x/v1 none
      admin c1 subscribe $CONTROL/+/v1 none
      admin c1 subscribe $CONTROL none
      admin c1 subscribe # all
      admin c1 publish $CONTROLS yes
      admin c1 publish $other/x yes
      admin c1 publish x/$CONTROL yes
      - c1 publish $CONTROL/x no
      root c1 publish $CONTROL/x/v1 yes
      root c1 receive $CONTROL/x/v1 yes
      root c1 subscribe $CONTROL/# all
    `,
  },
  'without rules everything is open but $CONTROL': {
    acl: aclOf([], '', ['root']),
    table: `
      - c1 publish a/b yes
      - c1 subscribe # all
      - c1 subscribe $SYS/# all
      - c1 receive $SYS/x yes
      - c1 publish $CONTROL/x no
      - c1 subscribe $CONTROL/# none
      alice c1 receive $CONTROL/x no
      root c1 publish $CONTROL/x yes
      root c1 subscribe $CONTROL/# all
    `,
  },
  'superusers may do everything': {
    acl: aclOf([{ deny: 'all', filter: '#' }], '', ['root']),
    table: `
      root c1 publish $CONTROL/x yes
      root c1 subscribe $SYS/# all
      root c1 subscribe # all
      root c1 retain a yes
      - root publish a no
      Root c1 publish a no
    `,
  },
};
