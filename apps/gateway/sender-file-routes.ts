import { badParameter } from './api-error';
import { choiceParameter, textParameter } from './api-parameters';
import type { ApiRoute } from './api-route';
import { SENDER_FILES } from './api-schemas';
import type { SenderTarget } from './gateway-api';
import { OWN_API } from './own-api';
import { isSenderUrl, SENDER_LEVELS, senderFiles } from './sender-files';

const ADDRESS = textParameter({
  name: 'address',
  description:
    'URL of the webhook as senders reach it. Default: AUDITING_WEBHOOK_URL, or else where this gateway listens.',
});
const LEVEL = choiceParameter(
  { name: 'level', description: 'What kube-apiserver records of requests that change something.' },
  SENDER_LEVELS,
  'Metadata',
);

/** The files that make senders send here. `target` is asked when somebody asks: the webhook opens last. */
export function senderFileRoutes(target: () => Promise<SenderTarget>): readonly ApiRoute[] {
  return [
    {
      path: `${OWN_API}/sender-files`,
      need: 'all events',
      summary: 'The files that make kube-apiserver and Kube AI Hub send their events here.',
      parameters: [ADDRESS, LEVEL],
      answerSchema: SENDER_FILES,
      answer: async ({ parameters }) => {
        const { url, caCert } = await target();
        const address = ADDRESS.read(parameters) || url;
        if (!isSenderUrl(address)) {
          throw badParameter('address', address, {
            expected: 'an http or https URL without a query: kube-apiserver drops that',
            example: url,
          });
        }
        const files = senderFiles({ url: address, caCert, level: LEVEL.read(parameters) });
        return { body: { files } };
      },
    },
  ];
}
