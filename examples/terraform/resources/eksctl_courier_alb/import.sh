# By the rule's ARN, or by LISTENER_ARN/PRIORITY. Nothing is moved; the next plan shows what the configuration adds.
terraform import eksctl_courier_alb.web arn:aws:elasticloadbalancing:us-east-1:111111111111:listener-rule/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee
