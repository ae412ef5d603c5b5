import { hasKustomize, kustomize } from './kustomize';
import { workloadsOf } from './workloads';

const SECRET = 'kube-auditing-receivers';

const describeOverlays = hasKustomize() ? describe : describe.skip;

describeOverlays.each(['minimal', 'minimal-before-1-24', 'ha', 'kind'])(
  'overlay %s (needs kustomize)',
  (overlay) => {
    test('a Secret for receivers is where they look for it by its name, if there is one', () => {
      const alert = workloadsOf(kustomize(`overlays/${overlay}`)).find(
        ({ metadata }) => metadata.name === 'kube-auditing-alert',
      );
      const pod = alert!.spec.template.spec;
      const [container] = pod.containers;
      const folder = container?.env?.find(({ name }) => name === 'AUDITING_ALERT_SECRETS_DIR');
      const volume = pod.volumes?.find(({ secret }) => secret?.secretName === SECRET);
      expect(volume?.secret?.optional).toBe(true);
      expect(container?.volumeMounts?.find(({ name }) => name === volume?.name)).toEqual({
        name: volume?.name,
        mountPath: `${folder?.value}/${SECRET}`,
        readOnly: true,
      });
    });
  },
);
