import { run } from '@auditing/service/run';
import { gatewayService } from './service';

await run(gatewayService);
