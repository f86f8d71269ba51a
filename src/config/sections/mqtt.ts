// [mqtt]: what the broker offers to clients.

import { defaultOptions as d } from '../../core/options.ts';
import { flag, scalar, seconds, section, text } from '../option.ts';

export const mqttSection = section(
  'What the broker offers to clients and tells them about itself.',
  {
    maximumQos: scalar(
      value => ([0, 1, 2] as const).find(qos => value === qos || value === String(qos)),
      { unit: '0 \\| 1 \\| 2', expected: '0, 1 or 2' },
      { default: d.maximumQoS, description: 'Highest QoS clients may publish with.' },
    ),
    retainAvailable: flag({
      default: d.retainAvailable,
      description: 'Whether retained messages are kept.',
    }),
    wildcardSubscriptionAvailable: flag({
      default: d.wildcardSubscriptionAvailable,
      description: 'Whether filters may contain + and #.',
    }),
    sharedSubscriptionAvailable: flag({
      default: d.sharedSubscriptionAvailable,
      description: 'Whether $share subscriptions are served.',
    }),
    subscriptionIdentifierAvailable: flag({
      default: d.subscriptionIdentifierAvailable,
      description: 'Whether subscriptions may carry an identifier.',
    }),
    checkPayloadFormat: flag({
      default: d.checkPayloadFormat,
      description:
        'Check that payloads which claim to be UTF-8 are; a client is told by 0x99, at QoS 0 as ' +
        'it is disconnected.',
    }),
    keepAliveMaxSeconds: seconds({
      default: d.keepAliveMaxSeconds,
      min: 0,
      max: 65_535,
      description: 'Longest keep alive granted; 0 leaves the choice to the client.',
    }),
    assignClientIds: flag({
      default: d.assignClientIds,
      description: 'Give a client that brings no id one.',
    }),
    responseInformation: text({
      default: d.responseInformation,
      description: 'Told to clients that ask for response information; empty for nothing.',
    }),
  },
);
