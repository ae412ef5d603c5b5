import { run } from '@auditing/service/run';
import { ruleService } from './service';

await run(ruleService);
